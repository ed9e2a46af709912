"""Reports: one document of texts, tables and figures, written as HTML, Markdown and LaTeX."""
