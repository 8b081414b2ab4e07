package app; public interface Filter { String run(String text); }
