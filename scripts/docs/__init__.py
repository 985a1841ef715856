"""Pages, manual pages and schemas that follow from the code, and the site of all pages."""
