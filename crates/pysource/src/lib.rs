//! Reads FastAPI projects from their source.
