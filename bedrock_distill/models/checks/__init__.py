"""What an inspection checks: one module a theme, each a function of the subject that yields findings."""
