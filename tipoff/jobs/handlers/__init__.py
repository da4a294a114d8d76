"""What each type of job does; imported only by the child process that runs it."""
