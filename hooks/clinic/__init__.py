"""Facts derived from the record (section 1 of the rules): clot, cancer, kidney, treatment, blocks, offers."""
