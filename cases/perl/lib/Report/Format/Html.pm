package Report::Format::Html; sub run { return lc('Html') . ': ' . join(',', @_[1..$#_]) } 1;
