package app; public class Upper implements Filter { public String run(String text) { return text.toUpperCase(); } }
