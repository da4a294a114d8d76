"""Where deployments look for the application."""
