"""The configuration of Sphinx, with which `make docs` builds a site of these pages."""

project = "ecs_pulumi"
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "ecs_pulumi"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_theme_options = {"navigation_with_keys": True}
# A broken reference is an error (with `-W`).
nitpicky = True
