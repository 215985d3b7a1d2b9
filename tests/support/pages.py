"""A page of HTML, read as a browser would, but strictly: each tag is closed where it should be."""

from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "hr", "input", "base", "col", "source"}


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text; a tag that is not closed in order fails."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._open = [], [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        assert len(attributes) == len(dict(attributes)), tag
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open:
            self.text.append(data)

    def all(self, tag):
        """Return the attributes of each such tag."""
        return [attributes for name, attributes in self.tags if name == tag]

    def values(self, attribute):
        """Return the values of an attribute, of whichever tags."""
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]

    @property
    def words(self):
        """The text, with one space between words."""
        return " ".join(" ".join(self.text).split())
