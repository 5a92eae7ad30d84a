"The page `/live`: what the models do at the moment, and buttons that stop them."
