"A package, so that the browser of its fixtures is closed before the tests of other folders run."
