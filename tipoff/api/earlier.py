"""Earlier names of resources: answered with the body of what succeeded them."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode

from tipoff.api.problems import ProblemError

SINCE = b"@1795564800"
"""deprecated since this API exists (25 November 2026), as RFC 9745 writes it"""
RENAMED = {"/api/predictions": "/api/ml/predictions", "/api/system-status": "/api/system/status"}
TRAINING, PIPELINES = "/api/ml/train-status", "/api/pipeline-status"


def successor(path: str, query: str) -> tuple[str, str] | None:
    """The path and query that answer for an earlier name; None for any other path.

    Raises ProblemError (422) where the status of a training is asked for without saying which.
    """
    if path in RENAMED:
        return RENAMED[path], query
    if path == PIPELINES:
        return "/api/jobs", urlencode([*parse_qsl(query, keep_blank_values=True), ("job_type", "data_pipeline")])
    if path != TRAINING:
        return None
    values = parse_qsl(query, keep_blank_values=True)
    ids = [value for name, value in values if name == "job_id"]
    if len(ids) != 1:
        said = "say once which job: train-status?job_id=..."
        raise ProblemError(422, f"job_id: {said}", [("job_id", said)])
    return f"/api/jobs/{quote(ids[0], safe='')}", urlencode([pair for pair in values if pair[0] != "job_id"])
