"""What the deployments of all products share."""
