"""The web application: what people do in the browser, and the pages they do it on."""
