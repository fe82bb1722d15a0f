"""Programs for whoever works on this project; nothing here ships. `make help` lists them.

local_cloud     AWS and a Cloud Foundry API on this machine, and the function in front: `make run`
bench           speed, CPU and memory beside other clients: `make bench`, `make bench-docs`
fuzz            looks for inputs that break a rule: `make fuzz`
mutants         changes the rules, and sees whether the tests notice: `make mutants`
histories       the life of an alert in random histories, beside a model: `make histories`
schemas, readme, golden, faults_page    write what is generated from the code
guard, sbom     hold template and packages to rules, in `make check`
commands, scale, template    what tests and tools know of the docs' commands, of the arithmetic in
                             docs/scale.md, of template.yaml
"""
