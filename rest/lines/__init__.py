"""Business lines: each orchestrates orders, dispatch, chat and money; none knows another."""
