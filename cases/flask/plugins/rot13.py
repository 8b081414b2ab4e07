import codecs


def run(text): return codecs.encode(text, "rot13")
