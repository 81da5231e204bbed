"""The operator's tool and the stack on one machine."""
