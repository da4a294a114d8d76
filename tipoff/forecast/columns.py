"""Where each hyper-parameter lives in the array that the kernels read: the order of `params.FilterParams`."""

from __future__ import annotations

(
    V0, Q, V_SESSION, V_TEAM, Q_TEAM, V_BASE, Q_BASE, NOISE, CLIP, V_LINK, V_PT, V_PAIR, V_PTS, Q_EXTRAS, V_STREAM,
    M_BASE, V_LATE, V_MEETING, V_SCALE, C_LEVEL, C_POSITION, Q_SESSION, V_REGRESSOR, T_LATE,
) = range(24)  # fmt: skip

DAY = 1440.0
"""minutes"""
NEWCOMER_DAYS = 10
"""who is first seen within that many days of the first result was not new, only unseen"""
FEW = 20
"""below that many known results of a player a forecast leans on the prior"""
LEVEL_REACH = 30.0
"""points from the mean total beyond which the noise changes no more"""
Z2_MOST = 9.0
"""squared standardised error beyond which a player's log-variance learns no more"""
REGRESSORS = 5
POSITION = 5
"""in a match's circumstances, after the regressors: mean matches already played in the session"""
MOST_PLAYED = 13
"""matches in a session after which its position counts no further"""
SHORTEST_REST, LONGEST_REST, USUAL_REST = 32, 240, 64.0
"""minutes since a player's last match; the first two bound it"""
USUAL_POSITION = 5.0
