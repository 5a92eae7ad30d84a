"""What the engines that load models on this machine share: `embedded` and `transformers`."""
