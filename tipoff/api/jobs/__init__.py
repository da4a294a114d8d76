"""Jobs over HTTP: start, look, cancel, try again, tidy up."""
