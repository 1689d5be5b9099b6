// The map that a model expects, compared with what it was trained on, other replicates, the truth and simple yardsticks.
process RECONSTRUCT_MAP {
    tag "${meta.id}"
    label 'light'

    input:
    tuple val(meta), path(map), path(model), path(others), path(truth, stageAs: 'truth/*'), path(loops, stageAs: 'loops/*')

    output:
    tuple val(meta), path("${meta.id}.predicted.mcool"), emit: map
    path "${meta.id}.refined.mcool", emit: refined, optional: true
    path "${meta.id}.*.{json,tsv,svg}", emit: report

    script:
    """
    reconstruct_map.py --contacts ${map} --model ${model} --seed ${params.seed} --threads ${task.cpus} \\
        ${others ? "--against ${others}" : ''} ${truth ? "--truth ${truth}" : ''} ${loops ? "--loops ${loops}" : ''} \\
        ${params.regions ? "--regions ${params.regions.tokenize(',').join(' ')}" : ''} ${task.ext.args ?: ''}
    """

    stub:
    """
    touch ${meta.id}.{predicted,refined}.mcool ${meta.id}.reconstruct.metrics.tsv
    """
}
