"""Labels in, the training manifest and its sisters out."""
