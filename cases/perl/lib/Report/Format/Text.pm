package Report::Format::Text; sub run { return lc('Text') . ': ' . join(',', @_[1..$#_]) } 1;
