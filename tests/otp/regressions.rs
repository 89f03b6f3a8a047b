//! Scripts that once told the two apart, by hand and as small as they get.
