"""Players over HTTP: how strong, in what form, with which team, against whom."""
