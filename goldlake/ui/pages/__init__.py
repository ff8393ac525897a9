"""One module per page: it reads typed views and gives them to its template."""
