"""Trade: what customers buy. The order kernel, which knows no line, and pricing, which is pure."""
