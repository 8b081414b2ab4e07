//! The words of a judgement as values: probe, answer, evidence, verdict, and their versioned JSON.
