"""How `make docs` makes a site of these pages, which read as well where they lie."""

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
# A reference that leads nowhere is an error (`-W`).
nitpicky = True
