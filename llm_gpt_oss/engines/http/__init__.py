"""What the engines that are HTTP servers share."""
