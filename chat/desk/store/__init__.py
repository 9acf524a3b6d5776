"""SQL of the desk: one function per statement, one file per family of tables."""
