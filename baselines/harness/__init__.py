"""What the scripts share: the task, runs and their folders, scoring, and the table of methods."""
