"""SQL of dispatch: one function per statement, no decisions."""
