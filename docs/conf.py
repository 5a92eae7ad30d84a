"How Sphinx builds these pages: `make docs`."

from importlib.metadata import version as installed_version

project = "llm-gpt-oss"
copyright = "the contributors to llm-gpt-oss"
version = release = installed_version("llm-gpt-oss")

extensions = ["myst_parser"]
# Links to headings have the same anchors here as on GitHub.
myst_heading_anchors = 4
exclude_patterns = ["_build", "upstream"]

html_theme = "furo"
html_title = "llm-gpt-oss"
