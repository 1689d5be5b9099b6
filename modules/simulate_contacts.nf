// Contact maps of four cell types with a known truth, and the sheets that name them.
process SIMULATE_CONTACTS {
    label 'light'

    input:
    tuple val(cell_types), val(chromosomes), val(bins), val(resolution), val(seed), val(code)

    output:
    path "samplesheet.csv", emit: samplesheet
    path "annotations.csv", emit: annotations
    path "variants.vcf", emit: variants
    path "transfer.csv", emit: transfer
    path "anchor_deletions.vcf", emit: deletions, optional: true
    path "truth/truth.json", emit: truth
    path "truth/*.truth.tsv", emit: barriers
    path "{maps,truth}", type: 'dir', emit: files

    script:
    """
    simulate_contacts.py --cell-types ${cell_types} --chromosomes ${chromosomes} --bins ${bins} --resolution ${resolution} --seed ${seed}
    """

    stub:
    """
    mkdir maps truth
    touch truth/truth.json ${cell_types.tokenize(',').collect { name -> "truth/${name}.truth.tsv" }.join(' ')}
    echo cell_type,replicate,contacts > samplesheet.csv
    for sample in ${cell_types.tokenize(',').collectMany { name -> name == 'GM12878' ? ["${name},1", "${name},2"] : ["${name},1"] }.join(' ')}; do
        touch "maps/\$sample.cool"
        echo "\$sample,\\"maps/\$sample.cool\\"" >> samplesheet.csv
    done
    echo cell_type,element,file > annotations.csv
    echo "##fileformat=VCFv4.2" | tee variants.vcf > anchor_deletions.vcf
    touch maps/HEK-293T.5C.matrix.gz maps/HEK-293T_without_anchors.5C.matrix.gz
    base=GM12878_1
    echo cell_type,replicate,contacts,base,variants,after,fractions > transfer.csv
    echo HEK-293T,1,maps/HEK-293T.5C.matrix.gz,\$base,anchor_deletions.vcf,maps/HEK-293T_without_anchors.5C.matrix.gz, >> transfer.csv
    """
}
