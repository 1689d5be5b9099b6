// What the results were made with.
process VERSIONS {
    label 'light'

    input:
    val code

    output:
    path "versions.tsv"

    script:
    """
    #!/usr/bin/env python3
    import platform
    from importlib.metadata import distributions

    rows = {d.metadata["Name"]: d.version for d in distributions()}
    rows = {name: rows[name] for name in sorted(rows, key=str.lower)}
    rows = {"hiclstm": "${workflow.manifest.version}", "hiclstm code (md5)": "${code}", "Nextflow": "${nextflow.version}",
            "Python": platform.python_version(), **rows}
    with open("versions.tsv", "w") as out:
        out.writelines(f"{name}\\t{version}\\n" for name, version in rows.items())
    """

    stub:
    """
    echo "hiclstm\t${workflow.manifest.version}" > versions.tsv
    """
}
