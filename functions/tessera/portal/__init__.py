"""The portal: a labeling service of our own, told what to do by Ground Truth's own job request."""
