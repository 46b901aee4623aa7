"""Where data come from: small worlds whose every probability is known."""
