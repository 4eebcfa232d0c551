#include <stdio.h>

int main(void) {
    char line[128];
    FILE *file = fopen("/srv/greeting.txt", "r");
    if (!file || !fgets(line, sizeof line, file)) {
        fputs("there is no greeting\n", stderr);
        return 1;
    }
    fputs(line, stdout);
    return 0;
}
