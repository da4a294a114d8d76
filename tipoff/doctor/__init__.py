"""`tipoff doctor`: looks at a deployment from where it runs, one line a question, each with what to do."""
