"""Walk-forward replay and honest measures, with intervals; needs no database."""
