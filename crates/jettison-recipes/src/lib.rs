//! What a project is and how it is built and packed, from a listing and files handed in.
