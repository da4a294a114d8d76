"""What each check makes of the facts; pure functions of facts and thresholds."""
