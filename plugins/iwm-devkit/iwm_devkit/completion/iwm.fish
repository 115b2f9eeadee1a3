# Completion of iwm in fish. Written by `iwm completion fish`: write it again when plugins have come or gone.
set -g _iwm_table '@TABLE@'
set -g _iwm_awk '@AWK@'
function _iwm
    printf '%s\n' $_iwm_table | IWM_LINE=(commandline -cp | string collect) awk $_iwm_awk
end
complete -c iwm -a '(_iwm)'
