"""Export labels in the formats that training code reads."""
