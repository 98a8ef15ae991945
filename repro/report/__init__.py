"""What people read: Markdown, terminal, JUnit, the site and drafts."""
