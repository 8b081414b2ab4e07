package app; public class Reverse implements Filter { public String run(String text) { return new StringBuilder(text).reverse().toString(); } }
