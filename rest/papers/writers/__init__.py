"""Writers: one per format, each taking a head, rows one by one, totals, and giving a file. For the child process."""
