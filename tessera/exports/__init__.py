"""Labels in the forms that training code reads."""
