"""lockgate: the production half of machine learning."""
