"""Language models: where they come from, and the forms that Hugging Face gives them."""
